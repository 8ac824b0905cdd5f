"""What all benchmark cases share: measuring, the systems under test and their fixtures, result rows and tables."""
