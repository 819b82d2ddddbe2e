const app = require('fastify')();
app.get('/', async () => 'hello\n');
app.listen({port: 3000, host: '0.0.0.0'});
