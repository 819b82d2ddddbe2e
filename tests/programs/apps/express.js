const app = require('express')();
app.get('/', (request, response) => response.send('hello\n'));
app.listen(3000);
