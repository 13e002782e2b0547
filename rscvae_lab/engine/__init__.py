"""What surrounds the training loop: what chance decides, batches, and many models at once."""
