// Node's own cluster module around the same app, with the rolling restart that its documentation lets one write: SIGHUP
// starts a successor, waits until it listens, and disconnects the worker before it.
const cluster = require('cluster');
if (cluster.isPrimary) {
  const count = Number(process.env.WORKERS);
  for (let i = 0; i < count; ++i) cluster.fork();
  let rolling = Promise.resolve();
  const replace = (worker) => new Promise((done) => {
    const successor = cluster.fork();
    successor.once('listening', () => {
      worker.once('exit', done);
      worker.disconnect();
      setTimeout(() => worker.process.kill('SIGKILL'), 1600).unref();
    });
  });
  process.on('SIGHUP', () => {
    rolling = rolling.then(async () => {
      for (const worker of Object.values(cluster.workers)) await replace(worker);
      process.stdout.write('rolled\n');
    });
  });
} else {
  require('./app.js');
}
