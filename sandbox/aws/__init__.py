"""A local AWS: moto for what it has, doubles for what it lacks, one endpoint for both."""
