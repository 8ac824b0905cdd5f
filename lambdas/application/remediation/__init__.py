"""The remediation workflow: assess, repair, verify, notify, watch, close."""
