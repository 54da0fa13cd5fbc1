-- The newest temperature of each device.
select tenant, coalesce(device_name, device) as device, channel, ts, value, unit
from harvester.latest_readings
where quantity = 'temperature'
order by tenant, device, channel;
