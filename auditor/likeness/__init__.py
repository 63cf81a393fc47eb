"""What texts of several attempts have in common, once all that was given to both is taken away."""
