"""What the commands `dead` and `undelivered` share."""
