"""A local AWS: moto, doubles for what moto lacks, and one endpoint for both."""
