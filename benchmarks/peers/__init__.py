"""The same work done by fewstep, learn2learn, higher, TorchOpt and a plain PyTorch loop."""
