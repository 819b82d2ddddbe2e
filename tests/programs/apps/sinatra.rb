require 'sinatra'
set :server, 'webrick'
set :bind, '0.0.0.0'
get('/') { "hello\n" }
