"""Pure rules, data in and data out: requests, snapshot, diagnosis, planning, verification, incidents."""
