"""How people lay out their images: folders, tables, published splits."""
