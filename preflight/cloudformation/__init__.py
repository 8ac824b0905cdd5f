"""Findings about CloudFormation templates, those of CDK included."""
