"""What comes over the network. The only room that imports httpx."""
