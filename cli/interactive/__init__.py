"""The remediation workflow in this process, with approval at the prompt and progress on the terminal."""
