"""Attack programs: each tries one attack of the threat model and passes where the attack fails."""
