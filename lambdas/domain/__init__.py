"""The eight words, pure: request, observation, diagnosis, plan, action, proof, report. Data in, data out."""
