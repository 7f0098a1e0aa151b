%%% @doc An event in the process of the session that gets it.
%%%
%%% On the way with all hooks it goes on like every stanza that is routed to a session. On the fast way it
%%% is sent here and now, as {@link ejabberd_c2s:send/2} does: through `c2s_filter_send' and
%%% `c2s_handle_send', hence through client state indication and stream management. Only what all
%%% receivers have in common is not done for each of them: the stanza comes as bytes, too.
-module(twitter_c2s).

-include_lib("xmpp/include/xmpp.hrl").

-export([full/3, fast/2, handle_info/2]).
-export_type([marked/0]).

%% A message that sessions will recognise, and what one copy of it takes in a mailbox.
-type marked() :: {message(), Bytes :: pos_integer()}.

%% @doc An event by the way with all hooks.
-spec full(message(), Author :: jid:jid(), twitter_flow:flow()) -> marked().
full(Event, Author, Flow) ->
    marked(Event, fun(Bytes) -> {full, Flow, Bytes, Author} end).

%% @doc An event by the fast way.
-spec fast(message(), twitter_flow:flow()) -> marked().
fast(Event, Flow) ->
    <<"<message", Rest/binary>> = fxml:element_to_binary(twitter_event:element(Event)),
    marked(twitter_event:ready(Event), fun(Bytes) -> {fast, Flow, Bytes, Rest} end).

%% A copy shares only large binaries with others.
marked(Event, Mark) ->
    Bytes = erts_debug:flat_size(Event) * erlang:system_info(wordsize),
    {Event#message{meta = #{?MODULE => Mark(Bytes)}}, Bytes}.

%% @doc Hook `c2s_handle_info': if this is an event, it has arrived.
-spec handle_info(ejabberd_c2s:state(), term()) ->
          ejabberd_c2s:state() | {stop, ejabberd_c2s:state()}.
handle_info(State, {route, #message{meta = #{?MODULE := {fast, Flow, Bytes, Rest}}} = Event}) ->
    twitter_flow:arrive(Flow, Bytes),
    {stop, send(State, Event#message{meta = #{}}, Rest)};
handle_info(State, {route, #message{meta = #{?MODULE := {full, Flow, Bytes, Author}}} = Event}) ->
    twitter_flow:arrive(Flow, Bytes),
    checked(State, Event, Author);
handle_info(State, _Info) ->
    State.

send(#{lserver := LServer} = State, Event, Rest) ->
    case ejabberd_hooks:run_fold(c2s_filter_send, LServer, {Event, State}, []) of
        {drop, Filtered} -> Filtered;
        {Event, Filtered} -> write(Filtered, Event, Rest);
        {Changed, Filtered} -> xmpp_stream_in:send(Filtered, Changed)
    end.

write(#{lserver := LServer} = State, Event, Rest) ->
    case write_bytes(State, Event, Rest) of
        ok -> ejabberd_hooks:run_fold(c2s_handle_send, LServer, State, [Event, ok]);
        %% A connection of another kind, or one that is lost.
        _ -> xmpp_stream_in:send(State, Event)
    end.

write_bytes(#{socket := Socket, stream_state := established, stream_header_sent := true},
            #message{to = #jid{luser = User, lserver = Server}}, Rest) ->
    case xmpp_socket:get_transport(Socket) of
        Transport when Transport =:= tcp; Transport =:= tls; Transport =:= tcp_zlib;
                       Transport =:= tls_zlib ->
            %% No character that XML escapes can stand in a normalised JID.
            xmpp_socket:send(Socket, <<"<message to='", User/binary, "@", Server/binary, "'", Rest/binary>>);
        _ ->
            other
    end;
write_bytes(_State, _Event, _Rest) ->
    other.

%% The session may have a list of its own in force (XEP-0016, section 2.4), which only it knows.
checked(#{privacy_active_list := List, lserver := LServer} = State, Event, Author) when List =/= none ->
    Check = Event#message{from = Author},
    case ejabberd_hooks:run_fold(privacy_check_packet, LServer, allow, [State, Check, in]) of
        deny -> {stop, State};
        allow -> State
    end;
checked(State, _Event, _Author) ->
    State.
