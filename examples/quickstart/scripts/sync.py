import os
import random
import sys
import time

shop = sys.argv[sys.argv.index("--shop") + 1]
logger.info("shop %s, run %s", shop, os.environ["AGENT_RUN_NUMBER"])
orders = random.randint(900, 1400)
for done in range(0, orders, 500):
    print(f"synced {done} of {orders}")
    time.sleep(0.3)
print(f"Synced {orders:,} orders. 3 skipped (already up to date).")
