$seen = [int]$state.Get('seen')
foreach ($order in 1..3) {
  $logger.Info("order $order of run $($run.Number)")
  $progress.Set($order, 3, "order $order")
}
$state.Set('seen', $seen + 3)
$notifications.SendMattermost('Ops Channel', "PowerShell has seen $($seen + 3) orders")
