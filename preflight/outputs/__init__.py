"""Output formats: table, JSON and YAML document, SARIF, JUnit, GitHub annotations."""
