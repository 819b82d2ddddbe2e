run ->(env) { [200, {'content-type' => 'text/plain', 'content-length' => '6'}, ["hello\n"]] }
