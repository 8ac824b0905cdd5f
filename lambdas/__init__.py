"""The functions: contract, domain, adapters, and one package per handler."""

from lambdas.generated_code import install

install()
