import shutil

free = shutil.disk_usage("/").free / 2**30
logger.info("%.1f GiB free", free)
if free < 1:
    notifications.send_mattermost("Ops Channel", "Less than 1 GiB is free")
    raise SystemExit(1)
