#!/bin/bash
# The old images' way to start everything, kept at the end of a user's own script.
echo "starting services"
runsvdir /var/runit &
wait
