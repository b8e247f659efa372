"""The whole pipeline with fakes at its edges: no root, no container, no load."""
