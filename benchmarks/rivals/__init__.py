"""What the product is compared with: each written as a competent engineer would, and doing the same work."""
