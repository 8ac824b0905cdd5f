"""The functions: contract, domain, adapters, and one package per handler."""
