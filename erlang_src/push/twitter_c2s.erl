%%% @doc An event in the process of the session that gets it.
%%%
%%% On the way with all hooks it goes on like every stanza that is routed to a session. On the fast way it
%%% is sent here and now, as {@link ejabberd_c2s:send/2} does; and it comes as bytes, for all that receivers
%%% have in common is done once for all of them. Nothing else is needed in a session in which nobody looks
%%% at stanzas that are sent: neither stream management, nor a client that is inactive, nor a module that is
%%% not known. Otherwise the stanza goes through `c2s_filter_send' and `c2s_handle_send'.
%%%
%%% An event comes to the session under its full JID, and goes out under the bare one. It is marked as
%%% carbon copies are: what the client has not confirmed (XEP-0198) when the session is given up goes nowhere.
%%% ejabberd would, if so configured, send it to the user's other sessions, which had it, and long after he
%%% lost the right.
%%%
%%% Only the session knows which privacy list is active in it (XEP-0016, section 2.4). So here is decided
%%% whether its user refuses the author, and a request to read says under which list it is made.
-module(twitter_c2s).

-include_lib("xmpp/include/xmpp.hrl").

-export([full/3, fast/4, is_marked/1, is_quiet/0, attend/1, withdraw/0, reader/1, reader_of/1, shown/1, send_late/3]).
-export([handle_info/2, user_send_packet/1, c2s_terminated/2]).
-export_type([marked/0, news/0, about/0]).

-define(NOT_TO_BE_RESENT, #{carbon_copy => true}).

%% What an event tells: a friend's post, that posts of a friend are gone, or what one's own devices did.
-type news() :: post | retraction | own.
-type about() :: #{author := twitter_nif:jid(), news := news(), shown := twitter_catch_up:shown()}.
%% A message that sessions will recognise, and what one copy of it takes in a mailbox: what is large in
%% it is shared.
-type marked() :: {message(), Bytes :: pos_integer()}.

%% Of ejabberd's own modules, those that look at no stanza in a session without stream management whose
%% client is active.
-define(KNOWN, [{c2s_filter_send, [mod_client_state]},
                {c2s_handle_send, [mod_stream_mgmt, mod_push, mod_push_keepalive]}]).

%% @doc An event by the way with all hooks.
-spec full(message(), about(), twitter_flow:flow()) -> marked().
full(Event, About, Flow) ->
    marked(Event, About#{flow => Flow}).

%% @doc An event by the fast way. `IsQuiet' as of {@link is_quiet/0}.
-spec fast(message(), about(), twitter_flow:flow(), IsQuiet :: boolean()) -> marked().
fast(Event, About, Flow, IsQuiet) ->
    Packed = term_to_binary(Event),
    marked(#message{type = headline, from = Event#message.from},
           About#{flow => Flow, rest => bytes(Event), packed => Packed, is_quiet => IsQuiet}).

%% All that is sent, but for the address.
bytes(Event) ->
    <<"<message", Rest/binary>> = fxml:element_to_binary(twitter_event:element(Event)),
    Rest.

marked(Event, Mark) ->
    Words = erts_debug:flat_size(Event#message{meta = #{?MODULE => Mark#{bytes => 0}}}),
    Bytes = Words * erlang:system_info(wordsize),
    {Event#message{meta = #{?MODULE => Mark#{bytes => Bytes}}}, Bytes}.

%% @doc Whether it is such an event, by its meta data.
-spec is_marked(Meta :: map()) -> boolean().
is_marked(Meta) ->
    is_map_key(?MODULE, Meta).

%% @doc Whether in no vhost a module of others looks at what sessions send.
-spec is_quiet() -> boolean().
is_quiet() ->
    lists:all(fun(Host) -> twitter_hooks:are_known(Host, ?KNOWN) end, ejabberd_option:hosts()).

%% @doc From now on sessions of that vhost know our events: also where the plugin does not run, since
%% friends of its authors may live there.
-spec attend(LServer :: binary()) -> ok.
attend(LServer) ->
    case persistent_term:get({?MODULE, LServer}, false) of
        true ->
            ok;
        false ->
            lists:foreach(fun({Hook, Function, Priority}) ->
                                  ok = ejabberd_hooks:add(Hook, LServer, ?MODULE, Function, Priority)
                          end, hooks()),
            persistent_term:put({?MODULE, LServer}, true)
    end.

hooks() ->
    [%% Before ejabberd's own, which would run the hooks for received stanzas.
     {c2s_handle_info, handle_info, 10},
     {user_send_packet, user_send_packet, 50},
     %% Before the session is closed, and what its client has not confirmed is given up.
     {c2s_terminated, c2s_terminated, 40}].

%% @doc Nobody sends events any more.
-spec withdraw() -> ok.
withdraw() ->
    lists:foreach(fun(LServer) ->
                          lists:foreach(fun({Hook, Function, Priority}) ->
                                                ok = ejabberd_hooks:delete(Hook, LServer, ?MODULE,
                                                                           Function, Priority)
                                        end, hooks()),
                          persistent_term:erase({?MODULE, LServer})
                  end, [LServer || {{?MODULE, LServer}, true} <- persistent_term:get()]).

%% @doc Hook `user_send_packet': a request to a pubsub host says which privacy list is active here.
-spec user_send_packet({stanza(), ejabberd_c2s:state()}) -> {stanza(), ejabberd_c2s:state()}.
user_send_packet({#iq{to = #jid{lserver = Host}} = IQ, #{privacy_active_list := List} = State})
  when List =/= none ->
    case twitter_service:find(Host) of
        {ok, _} -> {xmpp:put_meta(IQ, ?MODULE, List), State};
        error -> {IQ, State}
    end;
user_send_packet(Sent) ->
    Sent.

%% @doc Who sent a request, with the privacy list under which he did.
-spec reader(iq()) -> twitter_roster:reader().
reader(#iq{from = #jid{user = User, server = Server, resource = Resource, lserver = LServer} = From,
           meta = #{?MODULE := List}}) ->
    #{jid => From, privacy_active_list => List,
      user => User, server => Server, resource => Resource, lserver => LServer};
reader(#iq{from = From}) ->
    From.

%% @doc The user of this session, with the privacy list that is active in it.
-spec reader_of(ejabberd_c2s:state()) -> twitter_roster:reader().
reader_of(#{privacy_active_list := _} = State) ->
    maps:with([jid, privacy_active_list, user, server, resource, lserver], State);
reader_of(#{jid := Jid}) ->
    Jid.

%% @doc What an event shows that waits in the mailbox of a session.
-spec shown(Message :: term()) -> twitter_catch_up:shown().
shown({route, #message{meta = #{?MODULE := #{shown := Shown}}}}) -> Shown;
shown(_Other) -> none.

%% @doc Hook `c2s_handle_info': if this is an event, it has arrived.
-spec handle_info(ejabberd_c2s:state(), term()) ->
          ejabberd_c2s:state() | {stop, ejabberd_c2s:state()}.
handle_info(#{mgmt_state := resumed} = State, {route, #message{meta = #{?MODULE := _}}}) ->
    %% Another session has resumed this one (XEP-0198). ejabberd keeps what comes now, and routes it to
    %% that one: there it arrives.
    State;
handle_info(State, {route, #message{meta = #{?MODULE := Mark}} = Event}) ->
    {stop, arrived(State, Event, Mark)};
handle_info(State, {twitter_settings, changed}) ->
    {stop, twitter_settings:forget(State)};
handle_info(State, {twitter_catch_up, What}) ->
    {stop, twitter_catch_up:handle(What, State)};
handle_info(State, _Info) ->
    State.

%% @doc Hook `c2s_terminated'.
-spec c2s_terminated(ejabberd_c2s:state(), Reason :: term()) -> ejabberd_c2s:state().
c2s_terminated(State, _Reason) ->
    ok = twitter_catch_up:unconfirmed(State),
    State.

%% The reader's settings, then his privacy lists, which concern him on the full way only.
arrived(State, Event, Mark) ->
    #{flow := Flow, bytes := Bytes, author := Author, news := News, shown := Shown} = Mark,
    ok = twitter_flow:arrive(Flow, Bytes),
    case twitter_settings:share(State, Author, News) of
        {nothing, Known} ->
            Known;
        {Share, Known} ->
            case {twitter_catch_up:takes(Known, Shown), Share} of
                {false, _} -> Known;
                {true, whole} -> pass(Known, Event, Mark);
                {true, without_body} -> pass_without_body(Known, Event, Mark)
            end
    end.

pass(State, #message{to = To}, #{rest := Rest, packed := Packed, is_quiet := IsQuiet, shown := Shown}) ->
    case IsQuiet andalso is_quiet(State) andalso write_bytes(State, To, Rest) of
        ok ->
            State;
        _ ->
            Event = binary_to_term(Packed),
            send(State, Event#message{to = jid:remove_resource(To), meta = meta(Shown)}, Rest)
    end;
pass(State, #message{to = To, meta = Meta} = Event, #{author := Author, flow := Flow, shown := Shown}) ->
    case is_refused(State, twitter_roster:bare(Author)) of
        true ->
            twitter_flow:count(Flow, withheld, 1),
            State;
        false ->
            receive_packet(State, Event#message{to = jid:remove_resource(To),
                                                meta = maps:merge(maps:remove(?MODULE, Meta), meta(Shown))})
    end.

meta(Shown) ->
    maps:merge(?NOT_TO_BE_RESENT, twitter_catch_up:meta(Shown)).

receive_packet(#{lserver := LServer} = State, Message) ->
    ejabberd_hooks:run_fold(c2s_handle_info, LServer, State, [{route, Message}]).

%% @doc Sends an event that this session has made itself, on the way on which it would have come.
-spec send_late(ejabberd_c2s:state(), message(), fast | full) -> ejabberd_c2s:state().
send_late(#{jid := Jid, user := User, lserver := LServer} = State, #message{meta = Meta} = Event, Way) ->
    Late = Event#message{to = jid:remove_resource(Jid), meta = maps:merge(?NOT_TO_BE_RESENT, Meta)},
    case Way =:= fast andalso not twitter_blocks:may_block(jid:nodeprep(User), LServer) of
        true ->
            case ejabberd_hooks:run_fold(c2s_filter_send, LServer, {Late, State}, []) of
                {drop, Filtered} -> Filtered;
                {Changed, Filtered} -> xmpp_stream_in:send(Filtered, Changed)
            end;
        false when Way =:= fast ->
            receive_packet(State, Late);
        false ->
            lists:foldl(fun(Routed, Before) -> receive_packet(Before, Routed) end, State,
                        twitter_delivery:routed(Late))
    end.

pass_without_body(State, #message{} = Event, #{packed := Packed} = Mark) ->
    Bare = (binary_to_term(Packed))#message{body = []},
    pass(State, Event, Mark#{rest := bytes(Bare), packed := term_to_binary(Bare)});
pass_without_body(State, Event, Mark) ->
    pass(State, Event#message{body = []}, Mark).

%% While the lists cannot be read nobody gets anything by them; the session must not end for that.
is_refused(State, Author) ->
    try
        twitter_roster:refuses(State, Author)
    catch
        exit:{aborted, _} -> true
    end.

is_quiet(#{csi_state := inactive}) -> false;
is_quiet(#{mgmt_state := Management}) -> Management =:= inactive;
is_quiet(_State) -> true.

send(#{lserver := LServer} = State, Event, Rest) ->
    case ejabberd_hooks:run_fold(c2s_filter_send, LServer, {Event, State}, []) of
        {drop, Filtered} -> Filtered;
        {Event, Filtered} -> write(Filtered, Event, Rest);
        {Changed, Filtered} -> xmpp_stream_in:send(Filtered, Changed)
    end.

write(#{lserver := LServer} = State, #message{to = To} = Event, Rest) ->
    case write_bytes(State, To, Rest) of
        ok -> ejabberd_hooks:run_fold(c2s_handle_send, LServer, State, [Event, ok]);
        %% A connection of another kind, or one that is lost.
        _ -> xmpp_stream_in:send(State, Event)
    end.

write_bytes(#{socket := Socket, stream_state := established, stream_header_sent := true},
            #jid{luser = User, lserver = Server}, Rest) ->
    %% No character that XML escapes can stand in a normalised JID.
    Bytes = [<<"<message to='">>, User, $@, Server, $', Rest],
    case xmpp_socket:get_transport(Socket) of
        tcp -> xmpp_socket:send(Socket, Bytes);
        Transport when Transport =:= tls; Transport =:= tcp_zlib; Transport =:= tls_zlib ->
            xmpp_socket:send(Socket, iolist_to_binary(Bytes));
        _ -> other
    end;
write_bytes(_State, _To, _Rest) ->
    other.
