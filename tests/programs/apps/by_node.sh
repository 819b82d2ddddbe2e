#!/bin/bash
# A wrapper that stays: node is its child.
node "$(dirname "$0")/http.js"
echo "node has ended"
