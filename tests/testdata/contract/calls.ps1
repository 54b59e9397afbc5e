$logger.Debug('a debug line')
$logger.Info('an info line')
$logger.Warn('a warning line')
$logger.Error('an error line')
$notifications.SendMattermost('Ops Channel', 'powershell: ' + 'Sync in progress: 500/1000 records processed')
foreach ($i in 1..7) { $notifications.SendMattermost('Ops Channel', 'powershell: ' + [Environment]::GetEnvironmentVariable("TEXT_$i")) }
$notifications.SendMattermost('Ops Channel', 'x' * 1048576)
try { $notifications.SendMattermost('Nobody', 'text') } catch { "refused: $($_.Exception.GetBaseException().Message)" }
if ($null -eq $state.Get('counter')) { 'no counter' } else { $state.Get('counter') }
$state.Set('counter', 'one "two" $three')
"counter: $($state.Get('counter'))"
$state.Set('gone', @{ x = @(1, $null) })
if ($state.Get('gone').x[0] -ne 1) { throw 'gone is not as it was' }
$state.Delete('gone')
if ($null -eq $state.Get('gone')) { 'gone is gone' } else { 'gone is there' }
$progress.Set(1, 4, 'part one')
"run: $($run.Task) $($run.Number) $($run.Attempt)"
'payload: ' + $(if ($null -eq $payload) { 'none' } elseif ($payload -is [string]) { $payload } else { $payload.a })
if ($webhook -and $webhook.Params.from -eq 'test') { "webhook: $($webhook.Body)" }
foreach ($i in 1..5) { $notifications.SendMattermost('Ops Channel', "powershell: loop $i") }
$logger.Info('from a child')
$progress.Set(4, 4, 'all of it')
$notifications.SendMattermost('Ops Channel', 'powershell: the last words')
exit 0
