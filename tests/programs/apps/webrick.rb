require 'webrick'
server = WEBrick::HTTPServer.new(Port: 8080, Logger: WEBrick::Log.new(File::NULL), AccessLog: [])
server.mount_proc('/') { |_, response| response.body = "hello\n" }
%w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
server.start
