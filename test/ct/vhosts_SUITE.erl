%%% Several vhosts on one server, and several pubsub services on one vhost.
-module(vhosts_SUITE).

-include_lib("fast_xml/include/fxml.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    each_vhost_has_its_own_service/1,
    users_of_another_vhost_cannot_publish/1,
    friends_of_another_vhost_get_posts/1,
    a_friend_of_another_vhost_reads_what_he_may/1,
    each_service_has_its_own_streams/1,
    a_service_comes_and_goes/1,
    one_vhost_has_no_microblogs/1,
    a_vhost_comes_and_goes/1,
    stopping_one_vhost_leaves_the_other/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(OTHER, <<"other.example">>).

all() ->
    [{group, two_vhosts}, {group, two_services}, {group, changes}].

groups() ->
    [
        {two_vhosts, [parallel], [
            each_vhost_has_its_own_service,
            users_of_another_vhost_cannot_publish,
            friends_of_another_vhost_get_posts,
            a_friend_of_another_vhost_reads_what_he_may
        ]},
        {two_services, [], [each_service_has_its_own_streams, a_service_comes_and_goes]},
        {changes, [], [
            one_vhost_has_no_microblogs,
            stopping_one_vhost_leaves_the_other,
            a_vhost_comes_and_goes
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(Group, Config) ->
    Options =
        case Group of
            two_services -> #{pubsub => #{hosts => [<<"pubsub.@HOST@">>, <<"micro.@HOST@">>]}};
            _ -> #{hosts => [<<"localhost">>, ?OTHER]}
        end,
    {ok, Server} = twitter_server:start(Options#{
        dir => proplists:get_value(priv_dir, Config),
        name => atom_to_list(Group)
    }),
    [{server, Server} | Config].

end_per_group(_Group, Config) ->
    twitter_cases:stop(Config).

%%% two_vhosts

each_vhost_has_its_own_service(Config) ->
    lists:foreach(
        fun(Host) ->
            {Alice, Bob} = two_friends(Config, Host, Host),
            Id = twitter_requests:publish(Alice, <<"Hello">>),
            Event = expect_post(Bob, Id),
            true = <<"pubsub.", Host/binary>> =:= fxml:get_tag_attr_s(<<"from">>, Event),
            [{_, Id, <<"Hello">>}] = twitter_reading:entries(Bob, ?FRIENDS)
        end,
        [<<"localhost">>, ?OTHER]
    ).

users_of_another_vhost_cannot_publish(Config) ->
    Dave = login_fresh(Config, <<"dave">>, ?OTHER),
    Answer = twitter_requests:pubsub({Dave, <<"pubsub.localhost">>}, set,
        <<"<publish node='/twitter/MyStream'><item>Hello</item></publish>">>),
    <<"not-allowed">> = twitter_answers:refusal(Answer),
    <<"Only users of localhost can publish here">> = twitter_answers:error_text(Answer),
    [] = twitter_reading:entries({Dave, <<"pubsub.localhost">>}, ?MINE),
    [] = twitter_reading:entries(Dave, ?MINE),
    %% What he is told of the node says so, too; at home it says that he can.
    Publish = <<"http://jabber.org/protocol/pubsub#publish'">>,
    [nomatch, found] = [
        case binary:match(fxml:element_to_binary(twitter_requests:info(Place, ?MINE)), Publish) of
            nomatch -> nomatch;
            _ -> found
        end
     || Place <- [{Dave, <<"pubsub.localhost">>}, Dave]
    ].

friends_of_another_vhost_get_posts(Config) ->
    {Alice, Dave} = two_friends(Config, <<"localhost">>, ?OTHER),
    Id = twitter_requests:publish(Alice, <<"Hello over there">>),
    Event = expect_post(Dave, Id),
    <<"pubsub.localhost">> = fxml:get_tag_attr_s(<<"from">>, Event),
    Reply = twitter_requests:publish(Dave, <<"Hello yourself">>),
    Answer = expect_post(Alice, Reply),
    <<"pubsub.other.example">> = fxml:get_tag_attr_s(<<"from">>, Answer),
    %% Each finds the other's posts where they were published.
    AliceJid = twitter_client:bare(Alice),
    DaveJid = twitter_client:bare(Dave),
    [{AliceJid, Id, <<"Hello over there">>}] =
        twitter_reading:entries({Dave, <<"pubsub.localhost">>}, ?FRIENDS),
    [{DaveJid, Reply, <<"Hello yourself">>}] =
        twitter_reading:entries({Alice, <<"pubsub.other.example">>}, ?FRIENDS),
    [] = twitter_reading:entries(Alice, ?FRIENDS),
    [] = twitter_reading:entries(Dave, ?FRIENDS).

a_friend_of_another_vhost_reads_what_he_may(Config) ->
    {Alice, Dave} = two_friends(Config, <<"localhost">>, ?OTHER),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    _ = expect_post(Dave, Id),
    Place = {Dave, <<"pubsub.localhost">>},
    Node = <<"/twitter/MyFriends/", (twitter_client:bare(Alice))/binary>>,
    [{Node, _}] = twitter_reading:rows(Place, <<"/twitter/MyFriends">>),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(Place, Node),
    Eve = login_fresh(Config, <<"eve">>, ?OTHER),
    Unknown = twitter_requests:pubsub({Eve, <<"pubsub.localhost">>}, get, [
        "<items node='", Node, "'/>"
    ]),
    <<"item-not-found">> = twitter_answers:refusal(Unknown),
    [] = twitter_reading:rows({Eve, <<"pubsub.localhost">>}, <<"/twitter/MyFriends">>),
    %% From now on Dave is to Alice what Eve is.
    ok = twitter_users:remove_contact(twitter_cases:server(Config), twitter_cases:user(Alice), twitter_cases:user(Dave)),
    [] = twitter_reading:entries(Place, ?FRIENDS),
    <<"item-not-found">> =
        twitter_answers:refusal(twitter_requests:pubsub(Place, get, ["<items node='", Node, "'/>"])),
    _ = twitter_client:sync(Dave),
    Later = twitter_requests:publish(Alice, <<"Alone">>),
    ok = twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>),
    ok = twitter_client:refute(Dave, twitter_events:is_event(?FRIENDS, Later)).

%%% two_services

each_service_has_its_own_streams(Config) ->
    {Alice, Bob} = two_friends(Config, <<"localhost">>, <<"localhost">>),
    Services = [<<"pubsub.localhost">>, <<"micro.localhost">>],
    lists:foreach(
        fun(Service) ->
            <<"same">> = twitter_requests:publish({Alice, Service}, <<"same">>, Service),
            Event = expect_post(Bob, <<"same">>),
            Service = fxml:get_tag_attr_s(<<"from">>, Event)
        end,
        Services
    ),
    Jid = twitter_client:bare(Alice),
    [[{Jid, <<"same">>, Service}] = twitter_reading:entries({Bob, Service}, ?FRIENDS) || Service <- Services],
    ok = twitter_requests:retract({Alice, <<"pubsub.localhost">>}, <<"same">>),
    [] = twitter_reading:entries({Bob, <<"pubsub.localhost">>}, ?FRIENDS),
    [{Jid, <<"same">>, _}] = twitter_reading:entries({Bob, <<"micro.localhost">>}, ?FRIENDS),
    %% With the account, posts go from all services.
    ok = twitter_users:unregister(twitter_cases:server(Config), twitter_cases:user(Alice)),
    [] = twitter_reading:entries({Bob, <<"micro.localhost">>}, ?FRIENDS).

a_service_comes_and_goes(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = two_friends(Config, <<"localhost">>, <<"localhost">>),
    Micro = {Alice, <<"micro.localhost">>},
    Id = twitter_requests:publish(Micro, <<"Hello">>),
    ok = twitter_server:reload(Server, #{pubsub => #{hosts => [<<"pubsub.@HOST@">>]}}),
    ok = twitter_server:await_service(Server, <<"localhost">>),
    <<_, _/binary>> =
        twitter_answers:refusal(twitter_requests:pubsub(Micro, get, ["<items node='/twitter/MyStream'/>"])),
    Other = twitter_requests:publish(Alice, <<"Still here">>),
    [{_, Other, _}] = twitter_reading:entries(Bob, ?FRIENDS),
    ok = twitter_server:reload(Server, #{
        pubsub => #{hosts => [<<"pubsub.@HOST@">>, <<"micro.@HOST@">>]}
    }),
    ok = twitter_server:await_service(Server, <<"localhost">>),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries({Bob, <<"micro.localhost">>}, ?FRIENDS),
    [{_, Other, _}] = twitter_reading:entries(Bob, ?FRIENDS).

%%% changes

one_vhost_has_no_microblogs(Config) ->
    Server = twitter_cases:server(Config),
    Modules = #{
        mod_caps => #{},
        mod_disco => #{},
        mod_ping => #{},
        mod_roster => #{},
        mod_pubsub => #{nodetree => tree, plugins => [<<"flat">>, <<"pep">>]}
    },
    ok = twitter_server:restart(Server, #{
        options => #{host_config => #{?OTHER => #{modules => Modules}}}
    }),
    {Alice, Dave} = two_friends(Config, <<"localhost">>, ?OTHER),
    false = lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(Dave, <<>>)),
    <<"item-not-found">> =
        twitter_answers:refusal(twitter_requests:pubsub(Dave, get, ["<items node='/twitter/MyStream'/>"])),
    %% A name below /twitter is an ordinary one there.
    none = twitter_answers:refusal(
        twitter_requests:pubsub(Dave, set, ["<create node='/twitter/x'/>"])
    ),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    _ = expect_post(Dave, Id),
    ok = twitter_server:restart(Server, #{options => #{}}).

stopping_one_vhost_leaves_the_other(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Dave} = two_friends(Config, <<"localhost">>, ?OTHER),
    lists:foreach(
        fun(Module) ->
            ok = twitter_server:call(Server, gen_mod, stop_module, [?OTHER, Module]),
            Id = twitter_requests:publish(Alice, <<"Hello">>),
            _ = expect_post(Dave, Id)
        end,
        [mod_twitter, mod_pubsub]
    ),
    [
        {ok, _} = twitter_server:call(Server, gen_mod, start_module, [?OTHER, Module])
     || Module <- [mod_pubsub, mod_twitter]
    ],
    Reply = twitter_requests:publish(Dave, <<"Hello yourself">>),
    _ = expect_post(Alice, Reply).

a_vhost_comes_and_goes(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Dave} = two_friends(Config, <<"localhost">>, ?OTHER),
    Id = twitter_requests:publish(Dave, <<"Hello">>),
    _ = expect_post(Alice, Id),
    ok = twitter_server:reload(Server, #{hosts => [<<"localhost">>]}),
    Own = twitter_requests:publish(Alice, <<"Alone">>),
    [{_, Own, _}] = twitter_reading:entries(Alice, ?MINE),
    ok = twitter_server:reload(Server, #{hosts => [<<"localhost">>, ?OTHER]}),
    Again = twitter_users:login(Server, twitter_cases:user(Dave)),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(Again, ?MINE),
    Later = twitter_requests:publish(Alice, <<"Back?">>),
    _ = expect_post(Again, Later).

%%% Helpers

login_fresh(Config, Name, Host) ->
    Server = twitter_cases:server(Config),
    twitter_users:login(Server, twitter_users:fresh(Server, Name, Host)).

two_friends(Config, Host, OtherHost) ->
    Server = twitter_cases:server(Config),
    One = twitter_users:fresh(Server, <<"one">>, Host),
    Other = twitter_users:fresh(Server, <<"two">>, OtherHost),
    ok = twitter_users:befriend(Server, One, Other),
    {twitter_users:login(Server, One), twitter_users:login(Server, Other)}.

expect_post(Client, Id) ->
    twitter_client:expect(Client, twitter_events:is_event(?FRIENDS, Id)).
