"""`make deploy-local`: the stack, deployed by the CDK command line into an AWS emulator on this machine."""
