%%% A server elsewhere with a pubsub service and authors, who say what a case wants them to say to the server
%%% under test. It is played by components: see twitter_elsewhere.
-module(twitter_remote).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/2, delete/1, again/1, author/2, jid/1, domain/1, service/1, main/1, speaker/1]).
-export([moment/0, moments/1]).
-export([audience/2, relay/2, relay/3, relay_for/3, relay_for/4, single/3, plain/3, message/4, request/3, sync/1]).
-export([event/2, stamped/1, xml/1, answer/1]).
-export_type([remote/0, author/0]).

-define(OURS, <<"pubsub.localhost">>).

-type remote() :: #{server := twitter_server:server(), port := inet:port_number(), domain := binary(),
                    main := twitter_elsewhere:elsewhere(), speaker := twitter_elsewhere:elsewhere(), _ => _}.
-type author() :: remote().
-type reader() :: twitter_client:client() | binary().
-type change() :: {item, Id :: binary(), Text :: binary() | [xmlel()]}
                | {item, Id :: binary(), Text :: binary() | [xmlel()], Published :: integer(), Version :: integer()}
                | {retract, Id :: binary()} | {retract, Id :: binary(), Version :: integer()}
                | {purge, Version :: integer()}.

%% @doc A server with a name that no other has, and a service that it lists.
-spec new(twitter_server:server(), inet:port_number()) -> remote().
new(Server, Port) ->
    Number = integer_to_binary(erlang:unique_integer([positive])),
    started(#{server => Server, port => Port, domain => <<"a-", Number/binary, ".test">>}).

started(#{port := Port, domain := Domain} = Remote) ->
    Service = <<"pubsub.", Domain/binary>>,
    Remote#{main => twitter_elsewhere:start(Port, Domain, [Service]),
            speaker => twitter_elsewhere:start(Port, Service, [])}.

-spec delete(remote()) -> ok.
delete(#{main := Main, speaker := Speaker}) ->
    [ok = twitter_elsewhere:stop(One) || One <- [Main, Speaker], is_process_alive(One)],
    ok.

%% @doc The same after the server under test was restarted.
-spec again(Remote) -> Remote when Remote :: remote().
again(Remote) ->
    ok = delete(Remote),
    started(Remote).

-spec author(remote(), Name :: binary()) -> author().
author(#{domain := Domain} = Remote, Name) ->
    Number = integer_to_binary(erlang:unique_integer([positive])),
    Remote#{jid => <<Name/binary, "-", Number/binary, "@", Domain/binary>>}.

-spec jid(author()) -> binary().
jid(#{jid := Jid}) -> Jid.

-spec domain(remote()) -> binary().
domain(#{domain := Domain}) -> Domain.

-spec service(remote()) -> binary().
service(#{domain := Domain}) -> <<"pubsub.", Domain/binary>>.

-spec main(remote()) -> twitter_elsewhere:elsewhere().
main(#{main := Main}) -> Main.

-spec speaker(remote()) -> twitter_elsewhere:elsewhere().
speaker(#{speaker := Speaker}) -> Speaker.

%% @doc A moment later than any before.
-spec moment() -> integer().
moment() ->
    Now = erlang:system_time(microsecond),
    Last = case get({?MODULE, last}) of
               Before when is_integer(Before) -> max(Before + 1, Now);
               undefined -> Now
           end,
    put({?MODULE, last}, Last),
    Last.

-spec moments(pos_integer()) -> [integer()].
moments(Count) ->
    [moment() || _ <- lists:seq(1, Count)].

%%% What it says

%% @doc Says who the author's readers are, and relays for them from now on.
-spec audience(author(), [reader()]) -> twitter_relay:answer() | ok.
audience(#{jid := Jid} = Author, Readers) ->
    Jids = [bare(Reader) || Reader <- Readers],
    put({?MODULE, Jid}, Jids),
    {_Digest, Parts} = twitter_relay:audience(Jid, Jids),
    case lists:usort([answer(request(Author, <<"set">>, Part)) || Part <- Parts]) of
        [recorded] -> ok;
        [Other | _] -> Other
    end.

-spec relay(author(), [change()]) -> twitter_relay:answer().
relay(Author, Changes) ->
    relay(Author, Changes, #{}).

-spec relay(author(), [change()], #{'after' => integer(), sent => integer(), quiet => boolean()}) ->
    twitter_relay:answer().
relay(#{jid := Jid} = Author, Changes, Options) ->
    relay_for(Author, get({?MODULE, Jid}), Changes, Options).

%% @doc The same for readers of whom may be nothing known.
-spec relay_for(author(), [reader()], [change()]) -> twitter_relay:answer().
relay_for(Author, Readers, Changes) ->
    relay_for(Author, Readers, Changes, #{}).

-spec relay_for(author(), [reader()], [change()], map()) -> twitter_relay:answer().
relay_for(#{jid := Jid} = Author, Readers, Changes, Options) ->
    Digest = twitter_relay:digest([bare(Reader) || Reader <- Readers]),
    Dated = [dated(Change) || Change <- Changes],
    Relay = maps:merge(#{author => Jid, audience => Digest, sent => moment(), quiet => false, changes => Dated}, Options),
    answer(request(Author, <<"set">>, twitter_relay:relay(Relay))).

dated({item, Id, Text}) ->
    Now = moment(),
    dated({item, Id, Text, Now, Now});
dated({item, Id, Text, Published, Version}) when is_binary(Text) ->
    {item, Id, Published, Version, twitter_post:payload([{xmlcdata, Text}])};
dated({item, Id, Payload, Published, Version}) ->
    {item, Id, Published, Version, Payload};
dated({retract, Id}) ->
    {retract, Id, moment()};
dated(Change) ->
    Change.

%% @doc One message for one reader, as services with the plugin send it.
-spec single(author(), reader(), [change()]) -> ok.
single(#{jid := Jid} = Author, Reader, Changes) ->
    [message(Author, service(Author), Reader,
             [fxml:element_to_binary(built(Jid, Change)), fxml:element_to_binary(twitter_relay:stamp(stamp(Change)))])
     || Change <- lists:map(fun dated/1, Changes)],
    ok.

%% @doc What stands beside an event, as text.
-spec stamped(change()) -> binary().
stamped(Change) ->
    xml(twitter_relay:stamp(stamp(dated(Change)))).

-spec xml(xmlel()) -> binary().
xml(El) ->
    fxml:element_to_binary(El).

stamp({item, _, Published, Version, _}) -> #{published => Published, version => Version, sent => moment()};
stamp({retract, _, Version}) -> #{version => Version, sent => moment()}.

%% @doc The same from a service that knows nothing of ours.
-spec plain(author(), reader(), change()) -> ok.
plain(#{jid := Jid} = Author, Reader, Change) ->
    message(Author, service(Author), Reader, xml(event(Jid, Change))).

%% @doc The event that brings this.
-spec event(Publisher :: binary(), change()) -> xmlel().
event(Publisher, Change) ->
    built(Publisher, dated(Change)).

built(Publisher, Change) ->
    Entry = case Change of
                {item, Id, _, _, Payload} ->
                    #xmlel{name = <<"item">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Publisher}],
                           children = twitter_post:unwrap(Payload)};
                {retract, Id, _} ->
                    #xmlel{name = <<"retract">>, attrs = [{<<"id">>, Id}, {<<"publisher">>, Publisher}]}
            end,
    Items = #xmlel{name = <<"items">>, attrs = [{<<"node">>, <<"/twitter/FriendsStream">>}], children = [Entry]},
    #xmlel{name = <<"event">>, attrs = [{<<"xmlns">>, ?NS_PUBSUB_EVENT}], children = [Items]}.

%% @doc Any message from an address of this server.
-spec message(remote(), From :: binary(), reader(), Payload :: iodata()) -> ok.
message(Remote, From, Reader, Payload) ->
    ok = twitter_elsewhere:send(who(Remote, From), [
        <<"<message type='headline' from='">>, From, <<"' to='">>, bare(Reader), <<"'>">>, Payload, <<"</message>">>
    ]).

who(#{domain := Domain, main := Main, speaker := Speaker}, From) ->
    [Host | _] = binary:split(lists:last(binary:split(From, <<"@">>)), <<"/">>),
    case Host of
        Domain -> Main;
        _ -> Speaker
    end.

%% @doc A request of the service to ours.
-spec request(remote(), Type :: binary(), iodata() | xmlel()) -> xmlel().
request(#{speaker := Speaker} = Remote, Type, Payload) ->
    twitter_elsewhere:request(Speaker, service(Remote), ?OURS, {Type, Payload}).

-spec sync(remote()) -> ok.
sync(#{server := Server, main := Main, speaker := Speaker}) ->
    [ok = twitter_elsewhere:sync(Server, One) || One <- [Main, Speaker]],
    ok.

%% @doc What an answer says.
-spec answer(xmlel()) -> twitter_relay:answer().
answer(Answer) ->
    twitter_relay:answer(xmpp:decode(Answer, ?NS_CLIENT, [ignore_els])).

bare(Reader) when is_pid(Reader) -> twitter_client:bare(Reader);
bare(Reader) -> Reader.
