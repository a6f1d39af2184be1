"""What all tests share: hypothesis judges results, not the time that a busy machine takes."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
