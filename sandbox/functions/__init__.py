"""Lambda on one machine: the runtime interface emulator, the durable service and Lambda's own API in front."""
