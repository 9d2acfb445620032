"""What a model draws, measured on pictures that Easel made through its API."""
