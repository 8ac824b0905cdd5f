"""One module a command: options, help, example and what the command does. Heavy imports are inside functions, so that help stays quick."""
