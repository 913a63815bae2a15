"""aiokafka alone: getmany, and orjson on every value. No group, nothing committed, nothing kept."""

import asyncio

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.job import Stopwatch, this_job


async def read(watch: Stopwatch) -> None:
    job = watch.job
    consumer = AIOKafkaConsumer(bootstrap_servers=job.kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(job.topic, number) for number in range(job.partitions)])
        seen = 0
        while seen < job.events:
            fetched = await consumer.getmany(timeout_ms=1_000, max_records=5_000)
            if fetched and not watch.running:
                watch.start()
            for records in fetched.values():
                for record in records:
                    orjson.loads(record.value)
                seen += len(records)
        watch.lap(seen)
        watch.report(seen)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(read(Stopwatch(this_job())))
