import os

logger.info("shop: %s", os.environ["SHOP"])
print("Synced 1,247 orders. 3 skipped (already up to date).")
