"""Pictures of each link in each of its states, in the files of `lambdas/domain/diagnosis/links`: what is seen, the link, its state and verdict."""
