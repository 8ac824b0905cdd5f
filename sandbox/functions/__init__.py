"""Lambda on one machine: the runtime interface emulator, the durable service and the Lambda API."""
