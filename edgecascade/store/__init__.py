"""What lies on disk: folders, manifests, model files, downloads, remembered verdicts."""
