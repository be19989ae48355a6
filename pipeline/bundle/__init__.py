"""The clinic bundle: a release as one folder that installs without a network."""
