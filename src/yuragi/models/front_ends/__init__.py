"""What may stand between the pixels and a network's first layer, one file each."""
