"""What the ear would check of a finished loop, in numbers."""
