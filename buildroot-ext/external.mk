include $(sort $(wildcard $(BR2_EXTERNAL_SRP_PATH)/package/*/*.mk))
