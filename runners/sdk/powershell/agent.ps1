# The agent's SDK for PowerShell: $notifications, $logger, $state, $progress,
# $run, $payload and $webhook. The agent reads this file before a script, whose
# own variables of these names win. .NET's own classes only.

class ApiMeldConnection {
  # Ask makes one request, over the agent's socket. When it returns, it has happened.
  static [string] Ask([string]$method, [string]$path, [string]$body, [ref]$status) {
    $utf8 = [System.Text.UTF8Encoding]::new($false)
    $content = $utf8.GetBytes($body)
    $answer = [System.IO.MemoryStream]::new()
    try {
      $socket = [System.Net.Sockets.Socket]::new([System.Net.Sockets.AddressFamily]::Unix, [System.Net.Sockets.SocketType]::Stream, [System.Net.Sockets.ProtocolType]::Unspecified)
      try {
        $socket.ReceiveTimeout = $socket.SendTimeout = 60000
        $socket.Connect([System.Net.Sockets.UnixDomainSocketEndPoint]::new([Environment]::GetEnvironmentVariable('AGENT_RUN_SOCKET')))
        $head = "$method $path HTTP/1.0`r`nHost: agent`r`nAuthorization: Bearer $([Environment]::GetEnvironmentVariable('AGENT_RUN_TOKEN'))`r`nContent-Type: application/json`r`nContent-Length: $($content.Length)`r`n`r`n"
        $null = $socket.Send($utf8.GetBytes($head))
        try {
          for ($sent = 0; $sent -lt $content.Length;) {
            $sent += $socket.Send($content, $sent, $content.Length - $sent, [System.Net.Sockets.SocketFlags]::None)
          }
        } catch [System.Net.Sockets.SocketException] { } # refused before all of it was read: the answer says why
        $part = [byte[]]::new(65536)
        while (($n = $socket.Receive($part)) -gt 0) { $answer.Write($part, 0, $n) }
      } finally { $socket.Dispose() }
    } catch {
      throw [System.InvalidOperationException]::new("reach the agent: $($_.Exception.GetBaseException().Message)")
    }
    $text = $utf8.GetString($answer.ToArray())
    $end = $text.IndexOf("`r`n`r`n")
    if ($end -lt 0) { throw [System.InvalidOperationException]::new('reach the agent: it gave no answer') }
    $status.Value = [int]$text.Substring(9, 3)
    $text = $text.Substring($end + 4)
    if ($status.Value -ge 400 -and $status.Value -ne 404) {
      $reason = "the agent answered $($status.Value)"
      try { $reason = [System.Text.Json.JsonDocument]::Parse($text).RootElement.GetProperty('detail').GetString() } catch { }
      throw [System.InvalidOperationException]::new($reason)
    }
    return $text
  }
}

class ApiMeldNotifications {
  [void] SendMattermost([string]$webhook, [string]$text) { $this.SendMattermost($webhook, $text, '') }
  [void] SendMattermost([string]$webhook, [string]$text, [string]$channel) {
    $quote = { param($s) [System.Text.Json.JsonSerializer]::Serialize([string]$s, [string]) }
    $body = '{"webhook":' + (& $quote $webhook) + ',"text":' + (& $quote $text) + ',"channel":' + (& $quote $channel) + '}'
    $status = 0
    $null = [ApiMeldConnection]::Ask('POST', '/v1/notices', $body, [ref]$status)
  }
}

class ApiMeldPipe {
  static [System.IO.FileStream] $pipe
  static [bool] Write([string]$kind, [string]$text) {
    try {
      if ($null -eq [ApiMeldPipe]::pipe) {
        # Opening for writing waits for a reader: here it is this process, for a
        # moment. Once the agent is gone, writing fails instead of waiting.
        $path = [Environment]::GetEnvironmentVariable('AGENT_RUN_LOG')
        $reader = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::ReadWrite, 1)
        [ApiMeldPipe]::pipe = [System.IO.FileStream]::new($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Write, [System.IO.FileShare]::ReadWrite, 1)
        $reader.Dispose()
      }
      $utf8 = [System.Text.UTF8Encoding]::new($false)
      foreach ($line in $text.Replace("`0", '').Split("`n")) {
        # A pipe takes up to 4096 bytes at once without mixing them with another's.
        for ($at = 0; $at -eq 0 -or $at -lt $line.Length; $at += 1000) {
          $bytes = $utf8.GetBytes("$kind " + $line.Substring($at, [Math]::Min(1000, $line.Length - $at)) + "`n")
          [ApiMeldPipe]::pipe.Write($bytes, 0, $bytes.Length)
          [ApiMeldPipe]::pipe.Flush()
        }
      }
      return $true
    } catch { return $false }
  }
}

class ApiMeldLogger {
  [void] Debug([string]$text) { $this.Write('debug', $text) }
  [void] Info([string]$text) { $this.Write('info', $text) }
  [void] Warn([string]$text) { $this.Write('warning', $text) }
  [void] Warning([string]$text) { $this.Write('warning', $text) }
  [void] Error([string]$text) { $this.Write('error', $text) }
  hidden [void] Write([string]$level, [string]$text) {
    if (![ApiMeldPipe]::Write($level, $text)) { [Console]::Error.WriteLine("${level}: $text") }
  }
}

class ApiMeldState {
  # Get returns the value of a key, or $null.
  [object] Get([string]$key) {
    $status = 0
    $text = [ApiMeldConnection]::Ask('GET', '/v1/state?key=' + [Uri]::EscapeDataString($key), '', [ref]$status)
    if ($status -eq 404) { return $null }
    return ConvertFrom-Json $text -NoEnumerate
  }
  [void] Set([string]$key, [object]$value) {
    $status = 0
    $null = [ApiMeldConnection]::Ask('PUT', '/v1/state?key=' + [Uri]::EscapeDataString($key), (ConvertTo-Json $value -Depth 50 -Compress), [ref]$status)
  }
  [void] Delete([string]$key) {
    $status = 0
    $null = [ApiMeldConnection]::Ask('DELETE', '/v1/state?key=' + [Uri]::EscapeDataString($key), '', [ref]$status)
  }
}

class ApiMeldProgress {
  [void] Set([double]$done, [double]$total) { $this.Set($done, $total, '') }
  [void] Set([double]$done, [double]$total, [string]$text) {
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    $null = [ApiMeldPipe]::Write('progress', $done.ToString($invariant) + ' ' + $total.ToString($invariant) + ' ' + $text.Replace("`n", ' '))
  }
}

$global:notifications = [ApiMeldNotifications]::new()
$global:logger = [ApiMeldLogger]::new()
$global:state = [ApiMeldState]::new()
$global:progress = [ApiMeldProgress]::new()
$global:run = [pscustomobject]@{
  Id = $env:AGENT_RUN_ID; Number = [long]$env:AGENT_RUN_NUMBER; Task = $env:AGENT_RUN_TASK; Attempt = [int]$env:AGENT_RUN_ATTEMPT
  ScheduledFor = $env:AGENT_RUN_SCHEDULED_FOR; Revision = $env:AGENT_RUN_REVISION; Trigger = $env:AGENT_RUN_TRIGGER; Url = $env:AGENT_RUN_URL
}
$global:payload = $env:TASK_PAYLOAD
if ($null -ne $global:payload) {
  try { $global:payload = ConvertFrom-Json $global:payload -NoEnumerate -ErrorAction Stop } catch { $global:Error.RemoveAt(0) }
}
$global:webhook = $null
if ($env:AGENT_WEBHOOK_TRIGGERED_AT) {
  $global:webhook = [pscustomobject]@{
    Body = [string]$env:TASK_PAYLOAD; TriggeredAt = $env:AGENT_WEBHOOK_TRIGGERED_AT
    Params = ConvertFrom-Json $env:AGENT_WEBHOOK_PARAMS; Headers = ConvertFrom-Json $env:AGENT_WEBHOOK_HEADERS
  }
}
$global:LASTEXITCODE = 0
