"""Many processes, a cluster, and somebody who breaks them."""
