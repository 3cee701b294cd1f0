from coloured_corpus import made, video_files

__all__ = ["made", "video_files"]
