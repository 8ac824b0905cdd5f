"""Read-only questions that several commands ask: targets, assessments, incidents, parameters, grants, trigger sources."""
